"""`gradtui.watch` as a callback of libraries that write the training loop for one. Each module needs its library."""
