import Core
import Foundation
import TestSupport
import Testing

/// What stands in the place of a picture, or of a file of rows, is named.
@Suite struct PictureReferenceTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// What reading a row with this JSON as its picture says.
    private func refusal(_ image: String) throws -> String {
        let row = #"{"prompt": "What?", "chosen": "A.", "rejected": "B.", "image": \#(image)}"#
        try Data((row + "\n").utf8).write(to: folder["groups.jsonl"])
        let error = #expect(throws: MISPError.self) {
            try PreferenceGroup.read(contentsOf: folder["groups.jsonl"], images: folder.url)
        }
        return error?.description ?? ""
    }

    private static let references: [(String, String)] = [
        ("\"data:image/png;base64,AAAA\"", "base64 data"),
        ("\"/9j/\(String(repeating: "Ab0/", count: 9000))\"", "base64"),
        ("\"\(String(repeating: "QUJD", count: 20_000))\"", "base64 data"),
        ("\"https://x.org/a.png\"", "is a URL (https://"),
        ("\"HTTP://x.org/a.png\"", "is a URL"), ("\"s3://bucket/a.png\"", "is a URL"), ("\"hf://a/b.png\"", "is a URL"),
        ("\"file:///tmp/a.png\"", "is a file: URL"),
        (#"{"bytes": "AAAA", "path": null}"#, "is an object (bytes, path)"),
        (#"{"url": "http://x"}"#, "is an object (url)"), (#""a\u0000.png""#, "holds a NUL character"),
        ("\"\"", "is empty"), ("\" \\t\"", "is empty"),
        ("\"\(String(repeating: "x/é", count: 3000))\"", "is no path"),
    ]

    @Test(arguments: Self.references)
    func whatIsNoPathIsNamedAndNotPrinted(image: String, said: String) throws {
        let message = try refusal(image)
        #expect(message.contains("groups.jsonl:1: image: ") && message.contains(said), "\(message)")
        #expect(message.count < 600, "\(message.count)")
    }

    @Test func pathsOfAnyFormAreRead() throws {
        #expect(PictureReference.fault(" \n")?.what == "is empty" && PictureReference.fault("a b.png") == nil)
        for path in ["a.png", "./b/c d.jpg", "Ä:1.png", "datasets/x.png", "9j.png", "a+b=c.webp"] {
            #expect(try refusal("\"\(path)\"").contains("does not exist"), "\(path)")
        }
    }

    /// Reading them would never end, or end in the system's words.
    @Test func devicesPipesAndFoldersAreNoPictures() throws {
        #expect(mkfifo(folder["pipe.png"].path, 0o600) == 0)
        for (url, said) in [
            (URL(filePath: "/dev/zero"), "is not a regular file"), (folder["pipe.png"], "is not a regular file"),
            (folder.url, "is a folder, not a picture"),
        ] {
            for read in [
                { _ = try ImageDecoder.header(contentsOf: $0) }, { _ = try RGBImage(contentsOf: $0) },
                { _ = try ImageDecoder.isTransparent(contentsOf: $0) },
            ] as [(URL) throws -> Void] {
                let error = #expect(throws: MISPError.self) { try read(url) }
                #expect(error?.description.contains(said) == true, "\(error?.description ?? "")")
            }
        }
    }

    private static let pictures: [(String, String)] = [
        ("GIF89a......", "a GIF image"), ("BM........", "a BMP image"), ("II*\0....", "a TIFF image"),
        ("\0\0\0\u{18}ftypheic....", "a HEIC image"), ("\0\0\0\u{18}ftypavif....", "an AVIF image"),
        ("  <svg xmlns='x'>", "an SVG drawing"), ("<?xml version='1.0'?>\n<svg>", "an SVG drawing"),
        ("<!DOCTYPE html><html>404", "a web page (HTML)"),
        ("version https://git-lfs.github.com/spec/v1\noid x", "git-LFS"),
        ("%PDF-1.7", "a PDF file"), ("", "an empty file"), ("nothing known", "not a PNG, JPEG or WebP image"),
    ]

    @Test(arguments: Self.pictures)
    func picturesOfOtherKindsAreNamed(content: String, said: String) throws {
        try Data(content.utf8).write(to: folder["a.png"])
        for read in [{ _ = try ImageDecoder.header(contentsOf: $0) }, { _ = try RGBImage(contentsOf: $0) }]
            as [(URL) throws -> Void]
        {
            let error = #expect(throws: MISPError.self) { try read(folder["a.png"]) }
            let message = error?.description ?? ""
            #expect(message.contains(said) && message.contains("not a PNG, JPEG or WebP image"), "\(message)")
        }
    }

    private static let files: [(Data, String)] = [
        (Data("PAR1....".utf8), "a Parquet file"), (Data("ARROW1\0\0".utf8), "an Arrow file"),
        (Data([0x1F, 0x8B, 8, 0]), "a gzip file"), (Data("PK\u{3}\u{4}....".utf8), "a ZIP archive"),
        (Data("version https://git-lfs.github.com/spec/v1\n".utf8), "git lfs pull"),
        (Data("[{\"prompt\": \"a\"}]".utf8), "is one JSON array"), (Data("\n [\n{}]".utf8), "is one JSON array"),
        (Data("{\n  \"prompt\": \"a\"\n}".utf8), "has a row over several lines"),
        (Data("id,prompt,chosen,image\n1,a,b,c\n".utf8), "looks like a table (CSV)"),
        (Data("prompt\tchosen\n".utf8), "looks like a table (CSV)"), (Data([0xFF, 0xFE, 0x7B, 0]), "a text in UTF-16"),
        (Data([0xEF, 0xBB, 0xBF, 0x7B, 0x7D]), "begins with a byte-order mark"),
        (Data("<html>".utf8), "a web page (HTML)"), (Data("\n\n".utf8), "holds no preference groups"),
    ]

    @Test(arguments: Self.files)
    func filesOfOtherKindsAreNamed(content: Data, said: String) throws {
        try content.write(to: folder["groups.jsonl"])
        let error = #expect(throws: MISPError.self) {
            try PreferenceGroup.read(contentsOf: folder["groups.jsonl"], images: folder.url)
        }
        #expect(error?.description.contains(said) == true, "\(error?.description ?? "")")
    }

    @Test func aFileThatIsNotThereOrAFolder() throws {
        for (name, said) in [("mined/groups.jsonl", "mine --config mine.yaml first"), (".", "is a folder")] {
            let error = #expect(throws: MISPError.self) {
                try PreferenceGroup.read(contentsOf: folder[name], images: folder.url)
            }
            #expect(error?.description.contains(said) == true, "\(error?.description ?? "")")
        }
    }

    /// A row in the shape of another program says which of its keys nobody reads.
    @Test func aRowOfAnotherFormatNamesItsKeys() throws {
        for (row, said) in [
            (#"{"conversation": [{"from": "human"}], "image": "a.png"}"#, "'conversation'"),
            (#"{"data": {"prompt": "a", "chosen": "b"}}"#, "nothing reads its 'data'"),
            (#"{"promt": "a", "chosen": "b", "image": "a.png"}"#, "'promt' (did you mean prompt?)"),
        ] {
            try Data((row + "\n").utf8).write(to: folder["groups.jsonl"])
            let error = #expect(throws: MISPError.self) {
                try PreferenceGroup.read(contentsOf: folder["groups.jsonl"], images: folder.url)
            }
            #expect(error?.description.contains(said) == true, "\(error?.description ?? "")")
        }
    }
}
