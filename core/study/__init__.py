"""Run the paper's user study (fig. 3b): build a blinded page to vote on, and analyse the votes."""
