"""Read and write run folders, which a trainer writes and all other parts read. It never imports torch.

The reader and the library also use `gradtui.experiment`, which describes what was trained.
"""
