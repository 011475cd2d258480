import Core
import Foundation

/// What makes a group teach little or nothing although it can be read.
struct OddGroup {
    private let needs: ObjectiveNeeds

    init(_ needs: ObjectiveNeeds) { self.needs = needs }

    /// One fault for each oddity.
    ///
    /// - Parameter encoded: as the file has it
    func faults(_ group: PreferenceGroup, _ encoded: EncodedGroup) -> [String] {
        var faults: [String] = []
        // The end-of-sequence token is always there.
        if encoded.chosen.count <= 1 { faults.append("the chosen response has no token of its own") }
        if needs.rejected, let rejected = encoded.rejected {
            if rejected.count <= 1 { faults.append("the rejected response has no token of its own") }
            if rejected.tokens == encoded.chosen.tokens { faults.append("chosen and rejected are the same") }
        }
        guard needs.drawsFromPool else { return faults }
        let negatives = group.negatives.map(\.image)
        if let own = negatives.firstIndex(where: { PictureContent.isSame($0, group.image) }) {
            faults.append("negative \(own + 1) is the group's own picture")
        }
        for (index, path) in negatives.enumerated() {
            guard let first = negatives[..<index].firstIndex(where: { PictureContent.isSame($0, path) }) else {
                continue
            }
            faults.append("negative \(index + 1) is the same picture as negative \(first + 1)")
            break
        }
        return faults
    }
}

/// Files of pictures by their bytes.
enum PictureContent {
    /// Whether two paths lead to the same bytes. Files of different sizes are not read.
    static func isSame(_ first: String, _ second: String) -> Bool {
        if first == second { return true }
        var (a, b) = (stat(), stat())
        guard stat(first, &a) == 0, stat(second, &b) == 0, a.st_size == b.st_size else { return false }
        if a.st_dev == b.st_dev, a.st_ino == b.st_ino { return true }
        guard let one = try? MappedFile(URL(filePath: first)), let other = try? MappedFile(URL(filePath: second)),
            one.count == other.count
        else { return false }
        return memcmp(one.base, other.base, one.count) == 0
    }
}
