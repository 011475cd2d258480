import Core

/// The shapes of the demonstration's pictures.
package enum Shape: Int, CaseIterable, Sendable {
    case ring, square, triangle, cross
}

/// The colours of the demonstration's pictures. Each shape has a usual one, that of its own number.
package enum Colour: Int, CaseIterable, Sendable {
    case red, green, blue, yellow

    fileprivate var channels: [Int] {
        switch self {
        case .red: [220, 40, 40]
        case .green: [40, 200, 60]
        case .blue: [60, 80, 230]
        case .yellow: [230, 210, 50]
        }
    }
}

/// What a thing looks like, wherever it stands.
package struct Look: Hashable, Sendable {
    package var shape: Shape
    package var colour: Colour

    package static let all = Shape.allCases.flatMap { shape in
        Colour.allCases.map { Look(shape: shape, colour: $0) }
    }

    package init(shape: Shape, colour: Colour) { (self.shape, self.colour) = (shape, colour) }

    /// A shape in its usual colour.
    package init(usual shape: Shape) { self.init(shape: shape, colour: Colour.allCases[shape.rawValue]) }

    package var isUsual: Bool { colour.rawValue == shape.rawValue }
    package var name: String { "\(colour) \(shape)" }
}

package struct Thing: Hashable, Sendable {
    package var look: Look
    /// 3·row + column
    package var cell: Int

    package init(look: Look, cell: Int) { (self.look, self.cell) = (look, cell) }
}

/// A few things on a grid of 3 × 3 cells, at most one in a cell.
package struct Scene: Hashable, Sendable {
    package static let side = 3
    package static let cells = side * side

    /// By cell.
    package let things: [Thing]

    package init(_ things: [Thing]) { self.things = things.sorted { $0.cell < $1.cell } }

    package var looks: Set<Look> { Set(things.map(\.look)) }

    package var freeCells: [Int] {
        (0..<Self.cells).filter { cell in !things.contains { $0.cell == cell } }
    }

    /// Every thing in the usual colour of its shape: the scene as habit has it.
    package var remembered: Scene { Scene(things.map { Thing(look: Look(usual: $0.look.shape), cell: $0.cell) }) }

    package func replacing(_ old: Thing, by new: Thing) -> Scene { Scene(things.filter { $0 != old } + [new]) }

    package func adding(_ thing: Thing) -> Scene { Scene(things + [thing]) }

    /// Whether the scene belongs to the fifth of all scenes that no training sees, neither as a picture to learn from
    /// nor as a negative. There are only some 9,000 scenes of two things: without a split by scene, held-out pictures
    /// would differ from trained ones in shades alone.
    package var isHeldOut: Bool {
        let code = things.reduce(0) { code, thing in
            code &* 256 &+ UInt64(thing.cell * 16 + thing.look.shape.rawValue * 4 + thing.look.colour.rawValue)
        }
        var random = KeyedRandom(code, "split")
        return random.below(5) == 0
    }

    /// A scene of two things of different looks.
    /// - Parameter usual: per cent of things that are in their usual colour without a choice of colours.
    package static func random(_ random: inout KeyedRandom, usual: Int, isHeldOut: Bool) -> Scene {
        while true {
            let cells = random.permutation(Self.cells).prefix(2)
            let scene = Scene(
                cells.map { cell in
                    let shape = random.pick(Shape.allCases)
                    let isUsual = random.below(100) < usual
                    return Thing(
                        look: isUsual
                            ? Look(usual: shape) : Look(shape: shape, colour: random.pick(Colour.allCases)), cell: cell)
                })
            if scene.looks.count == 2, scene.isHeldOut == isHeldOut { return scene }
        }
    }
}

extension KeyedRandom {
    /// One of `items`, which must not be empty.
    mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }
}

// MARK: Drawing

extension Scene {
    /// Pixels of a cell, which is the vision tower's patch.
    static let cellSide = 16
    static let pixels = side * cellSide

    /// The picture: each thing in the middle of its cell give or take a pixel, in a shade of its colour, on grey.
    ///
    /// `strokes` keys everything that varies between pictures of one scene. Scenes with the same strokes differ in
    /// what differs between the scenes, and hardly elsewhere.
    package func picture(strokes: UInt64) -> RGBImage {
        var random = KeyedRandom(strokes, "strokes")
        var pixels = [UInt8](repeating: UInt8(random.below(49)), count: 3 * Self.pixels * Self.pixels)
        for thing in things {
            let centre = (
                x: thing.cell % Self.side * Self.cellSide + 7 + random.below(3),
                y: thing.cell / Self.side * Self.cellSide + 7 + random.below(3)
            )
            let shade = thing.look.colour.channels.map { UInt8(clamping: $0 + random.below(41) - 20) }
            for y in centre.y - 6...centre.y + 6 {
                for x in centre.x - 6...centre.x + 6
                where thing.look.shape.covers(x - centre.x, y - centre.y) {
                    let start = 3 * (y * Self.pixels + x)
                    pixels.replaceSubrange(start..<start + 3, with: shade)
                }
            }
        }
        return RGBImage(width: Self.pixels, height: Self.pixels, pixels: pixels)
    }
}

extension Shape {
    /// Whether a shape of radius 6 covers the pixel at (dx, dy) from its centre.
    fileprivate func covers(_ dx: Int, _ dy: Int) -> Bool {
        switch self {
        case .ring: (9...36).contains(dx * dx + dy * dy)
        case .square: abs(dx) <= 5 && abs(dy) <= 5
        case .triangle: 2 * abs(dx) <= dy + 6
        case .cross: abs(dx) <= 1 || abs(dy) <= 1
        }
    }
}
