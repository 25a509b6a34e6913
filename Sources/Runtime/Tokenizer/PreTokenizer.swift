enum PreTokenizer { static let supportedNames: [String] = [] }
