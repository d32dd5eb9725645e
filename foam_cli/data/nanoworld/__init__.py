"""The embedded world: science about invented materials and general chat, small enough to ship."""
