"""One package per service: settings, composition root, handlers."""
