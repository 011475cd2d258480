import Core
import Foundation

/// What a mining has to look at.
struct MiningPages {
    let configuration: MineConfiguration
    let mined: [MinedGroup]
    /// The groups that were mined, in the same order.
    let groups: [MiningInput.Group]
    let pictures: PictureTable
    let factors: LatentFactors
    let training: AutoencoderSummary?
    let hubs: (own: Hubs, random: Hubs?)

    /// Writes the pages that the configuration asks for.
    ///
    /// - Parameter images: n × d, the gallery's embeddings
    /// - Returns: their names
    func write(_ images: Matrix<Float>) throws -> [String] {
        guard configuration.pageGroups > 0 else { return [] }
        let folder = configuration.output
        let map = PickMap(
            images: images, picks: mined.flatMap(\.statistics.rows), random: mined.flatMap(\.statistics.randomRows),
            threads: configuration.threads)
        try MiningGallery.write(
            mined.compactMap(\.entry), training: training, title: "Negatives of \(folder.lastPathComponent)",
            strategy: configuration.strategy.rawValue, total: mined.count, hubs: hubs, map: map, names: factors.names,
            to: folder.appending(path: "gallery.html"))
        try FileOutput.write(map.svg + "\n", to: folder.appending(path: "map.svg"))
        let latents = folder.appending(path: "latents.html")
        guard training != nil else {
            // An earlier mining's would be of other negatives.
            try? FileManager.default.removeItem(at: latents)
            return ["gallery.html", "map.svg"]
        }
        try LatentPage(
            factors, title: "Latents of \(folder.lastPathComponent)", transparency: configuration.data.transparency,
            path: { pictures.paths[$0] }, prompt: { groups[$0].prompt }
        ).write(to: latents)
        return ["gallery.html", "latents.html", "map.svg"]
    }
}
