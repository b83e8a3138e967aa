"""`gradtui bench`: what LIMITS promises, measured on the machine of whoever asks.

The bench plays the terminal: it starts the real app in a pseudo-terminal, presses keys, and reads and counts every
byte. It starts trainers as the app does. Nothing here imports torch, and all that was started or written is gone
when it ends.
"""
