"""The words services share: topics, Pydantic models and the envelope they travel in."""
