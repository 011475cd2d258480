import Core
import Foundation

/// A prompt about a picture, from a line of JSON: `{"id": …, "prompt": …, "image": …}`. Further keys are kept.
struct Question: Sendable {
    let id: String
    let prompt: String
    /// The picture's whole path; nil for a question about none.
    let image: String?
    /// What an error names.
    let place: String

    /// - Parameter images: where relative paths start
    static func read(_ file: URL, images: URL) throws -> [Question] {
        var seen: Set<String> = []
        let questions = try JSON.lines(contentsOf: file).map { line -> Question in
            let place = "\(file.relativePath):\(line.line)"
            let field = JSONField(line.value, file: place)
            let id = try field["id"].isPresent ? field["id"].value?.string ?? "\(field["id"].int())" : "\(line.line)"
            guard seen.insert(id).inserted else { throw MISPError("the id \(id) occurs twice", at: place) }
            let image = try PictureReference.path(field["image"])
            let path = image.hasPrefix("/") ? image : images.appending(path: image).path
            guard FileManager.default.fileExists(atPath: path) else {
                throw MISPError(
                    "the image \(path) does not exist", at: place, remedy: "relative paths start from data.images")
            }
            return Question(id: id, prompt: try field["prompt"].string(), image: path, place: place)
        }
        guard !questions.isEmpty else { throw MISPError("has no question", at: file.relativePath) }
        return questions
    }
}
