"""Train the labelled set and print how often the diagnosis is right."""

from tests.diagnosis.labelled.command import main

if __name__ == "__main__":
    main()
