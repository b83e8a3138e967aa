"""The commands of the command line are here, one file each."""
