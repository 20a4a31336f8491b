"""The paper's user study (fig. 3b) as a kit: a blinded page that people vote on, and what their votes say."""
