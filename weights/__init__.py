"""The bundled checkpoints: safetensors with a model card (Markdown) each."""
