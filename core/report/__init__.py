"""Write the report: one HTML file that opens offline, its figures as SVG and their numbers as CSV."""
