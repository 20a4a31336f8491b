"""Files of earlier work (HiGAN, InterFaceGAN, idinvert): boundaries, lists of them, codes and scores, read and written."""
