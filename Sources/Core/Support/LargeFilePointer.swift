/// What git leaves in place of a file that git-LFS keeps elsewhere: a few lines that name its content.
enum LargeFilePointer {
    private static let start = "version https://git-lfs.github.com/spec/"

    /// Whether a file that begins so is such a pointer.
    static func isStart(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: start.utf8) }

    static func failure(at place: String) -> MISPError {
        MISPError(
            "is a git-LFS pointer in place of the file", at: place,
            remedy: "run git lfs pull in its repository, or download the file")
    }
}
