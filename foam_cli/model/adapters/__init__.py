"""One small declarative file per feed-forward layout."""
