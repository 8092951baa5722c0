"""What ``lulc accuracy`` does: inputs of every kind to judged classes, tables and a report."""
