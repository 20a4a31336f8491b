"""Read and write files of HiGAN, InterFaceGAN and idinvert: boundaries, lists of them, codes and scores."""
