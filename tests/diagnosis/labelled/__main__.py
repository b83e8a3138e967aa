"""`python -m tests.diagnosis.labelled`"""

from tests.diagnosis.labelled.command import main

if __name__ == "__main__":
    main()
