import Core
import Foundation

/// A picture within a page, made small.
struct Thumbnail {
    let html: String

    /// - Parameters:
    ///   - url: a file that Core reads
    ///   - side: pixels of the longer side at the most
    /// - Throws: `MISPError` for a picture that cannot be read
    init(contentsOf url: URL, transparency: Transparency = .white, side: Int) throws(MISPError) {
        let image = try RGBImage(contentsOf: url, transparency: transparency).thumbnail(side: side)
        let name = HTML.escaped(url.lastPathComponent)
        html = """
            <img src="data:image/jpeg;base64,\(try image.jpegData(quality: 82).base64EncodedString())" \
            width="\(image.width)" height="\(image.height)" alt="\(name)" title="\(name)" loading="lazy">
            """
    }
}
