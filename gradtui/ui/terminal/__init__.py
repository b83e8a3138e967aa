"""What goes over the line to the person's terminal: as little as will do."""
