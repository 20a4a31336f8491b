"""Edit and sample pictures by painting on their segmentation."""
