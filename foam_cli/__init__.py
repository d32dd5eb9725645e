"""foam grows a pretrained transformer while it trains, and measures what it learnt and what it forgot."""

__version__ = "0.1.0"
