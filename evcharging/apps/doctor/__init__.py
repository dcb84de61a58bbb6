"""Whether this machine can run the project, and how to mend what is missing. Changes nothing."""
