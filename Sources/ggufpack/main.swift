print("ggufpack")
