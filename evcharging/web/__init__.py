"""The pages that services serve: files only, no code."""
