print("packrun")
