import Coordinator
import Core
import Foundation

/// What a mining works on: groups without negatives, and the pictures to find them among; the same on every rank.
struct MiningInput: Codable {
    struct Group: Codable {
        let id: String
        let prompt: String
        /// Where the prompt is more than one text.
        let system: String?
        let parts: [String]?
        /// Parts before the picture.
        let picture: Int?
        let chosen: String
        let rejected: String?
        /// Absolute path.
        let image: String
    }

    let groups: [Group]
    /// Absolute paths.
    let gallery: [String]
    let excluded: [String]
    /// What the gallery's list says of its pictures, by path. It decides no group.
    let captions: [String: [String]]

    /// Collective: rank 0 reads, so that all see the same even of a folder that changes.
    static func read(_ configuration: MineConfiguration, _ communicator: any Communicator) throws -> MiningInput {
        let mine = try communicator.agree {
            communicator.rank == 0 ? try JSONEncoder().encode(MiningInput(configuration)) : Data()
        }
        return try JSONDecoder().decode(MiningInput.self, from: communicator.broadcast(mine, from: 0))
    }

    private init(_ configuration: MineConfiguration) throws {
        let data = configuration.data
        let file = try PreferenceFile(contentsOf: data.prompts, images: data.images)
        if let error = file.malformed.first ?? file.repeated.first { throw error }
        groups = file.groups.map(\.group).map {
            Group(
                id: $0.id, prompt: $0.prompt, system: $0.message?.system, parts: $0.message?.parts,
                picture: $0.message?.picture, chosen: $0.chosen, rejected: $0.rejected, image: $0.image)
        }
        let items = try data.gallery.map { try ImageList.read($0, images: data.images) }
        gallery = items?.map(\.path) ?? groups.map(\.image)
        captions = (items ?? []).reduce(into: [:]) { captions, item in
            if let caption = item.caption { captions[item.path, default: []].append(caption) }
        }
        excluded = try data.exclude.map { try ImageList.read($0, images: data.images).map(\.path) } ?? []
    }
}
