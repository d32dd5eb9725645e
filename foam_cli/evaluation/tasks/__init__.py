"""One evaluation task per file; each is chosen by the YAML of the same name in conf/evaluation."""
