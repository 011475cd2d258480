import Core
import Foundation
import TestSupport
import Testing

/// Where Qwen2-VL's family puts a picture's cells: in windows, and in a sequence.
@Suite struct CellGeometryTests {
    private func family(windowSize: Int) throws -> Qwen2VL {
        let json = """
            {"model_type": "qwen2_5_vl", "image_token_id": 9,
             "text_config": {"hidden_size": 8, "num_attention_heads": 1, "num_key_value_heads": 1,
               "rope_parameters": {"mrope_section": [2, 1, 1]}},
             "vision_config": {"hidden_size": 8, "num_heads": 2, "out_hidden_size": 8, "window_size": \(windowSize)}}
            """
        let configuration = try ModelConfiguration(JSONField(JSON(parsing: json), file: "config.json"))
        return try #require(configuration.family as? Qwen2VL)
    }

    /// Two cells share a window where both their row and their column lie in the same stretch of `side` cells; windows
    /// come by rows of them, and the cells of one by rows.
    @Test(arguments: [1, 2, 3, 4, 7]) func windowsAreTheTilesOfTheGrid(side: Int) throws {
        // A cell has 28 pixels, and what is left of a window size is of no use.
        let family = try family(windowSize: 28 * side + 27)
        for height in 1...9 {
            for width in 1...9 {
                let grid = CellGrid(family, PictureShape(height: 28 * height, width: 28 * width))
                #expect(grid.height == height && grid.width == width && grid.count == height * width)
                let windows = Dictionary(grouping: 0..<height * width) { cell in
                    [cell / width / side, cell % width / side]
                }
                let expected = windows.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { $0.value.sorted() }
                #expect(grid.windows == expected, "\(height) × \(width)")
            }
        }
    }

    /// Qwen2-VL has no windows: all cells are in one.
    @Test func withoutWindowsThereIsOne() throws {
        let family = try #require(SmallFamily.qwen2.configuration.family as? Qwen2VL)
        #expect(CellGrid(family, PictureShape(height: 12, width: 20)).windows == [Array(0..<15)])
    }

    /// In a tower without a layer that sees whole pictures a cell changes the rows of its window and no others.
    @Test func aCellIsSeenInItsWindowAlone() throws {
        let small = SmallFamily.qwen25(wholeLayers: "[]")
        let model: VisionLanguageModel<DoublePrecision> = try small.model(CheckpointGolden.frozen)
        let (shape, width) = (small.shapes[0], 5)
        let picture = small.pictures[0]
        let before = model.encoder.input(picture).fixedPart
        for cell in 0..<15 {
            // One value of the cell's lower right patch, in the green plane.
            let (y, x) = (cell / width * 4 + 3, cell % width * 4 + 3)
            var values = picture.values
            values[(shape.height + y) * shape.width + x] += 1
            let after = model.encoder.input(ProcessedPicture(values, shape: shape)).fixedPart
            for other in 0..<15 {
                let change = (0..<before.columns).map { abs(after[other, $0] - before[other, $0]) }.max() ?? 0
                let isNear = cell / width / 2 == other / width / 2 && cell % width / 2 == other % width / 2
                #expect((change > 1e-9) == isNear, "\(cell) \(other): \(change)")
            }
        }
    }

    /// In a tower with one such layer every cell changes all rows of its picture, and none of another's.
    @Test func aWholeLayerSeesThePictureAndNoOther() throws {
        let small = SmallFamily.qwen25()
        let model: VisionLanguageModel<DoublePrecision> = try small.model(CheckpointGolden.full)
        let (pictures, rows) = (small.pictures, [15, 3])
        func features(_ pictures: [ProcessedPicture]) -> Matrix<Double> {
            model.encoder.pass(pictures.map { model.encoder.input($0) }).rows
        }
        let before = features(pictures)
        #expect(before.rows == 18)
        for changed in 0..<2 {
            var values = pictures[changed].values
            values[values.count - 1] += 1
            var others = pictures
            others[changed] = ProcessedPicture(values, shape: pictures[changed].shape)
            let after = features(others)
            for row in 0..<18 {
                let change = (0..<before.columns).map { abs(after[row, $0] - before[row, $0]) }.max() ?? 0
                #expect((change > 1e-12) == (changed == (row < rows[0] ? 0 : 1)), "\(changed) \(row): \(change)")
            }
        }
    }

    /// A picture of 3 × 5 cells behind two tokens of text, written out.
    @Test func positionsOfCellsAndOfWhatFollowsThem() throws {
        let family = try family(windowSize: 112)
        let tokenizer = try Tokenizer(contentsOf: golden("families/qwen2-vl/tokenizer.json"))
        func at(_ time: Int, _ height: Int, _ width: Int) -> RotaryPosition {
            RotaryPosition(time: time, height: height, width: width)
        }
        let wide = try family.place(PictureShape(height: 3 * 28, width: 5 * 28), tokenizer)
        #expect(wide.tokens == [Int32](repeating: 9, count: 15) && wide.featureRows == [0..<15] && wide.span == 5)
        let prompt = PromptTokens(before: [1, 2], wide, after: [3, 4])
        #expect(prompt.tokens == [1, 2] + [Int32](repeating: 9, count: 15) + [3, 4])
        #expect(prompt.imageRows == [2..<17])
        #expect(
            prompt.positions == [
                at(0, 0, 0), at(1, 1, 1),
                at(2, 2, 2), at(2, 2, 3), at(2, 2, 4), at(2, 2, 5), at(2, 2, 6),
                at(2, 3, 2), at(2, 3, 3), at(2, 3, 4), at(2, 3, 5), at(2, 3, 6),
                at(2, 4, 2), at(2, 4, 3), at(2, 4, 4), at(2, 4, 5), at(2, 4, 6),
                at(7, 7, 7), at(8, 8, 8),
            ])
        #expect(prompt.end == 9)

        // Two responses to it: both go on at position 9, where row 19 stands.
        var layout = SequenceLayout()
        layout.append(prompt, image: 0, responses: [[5, 6, 7], [8, 6]])
        #expect(layout.rows == 19 + 2 + 1)
        #expect(layout.positions[19...] == [at(9, 9, 9), at(10, 10, 10), at(9, 9, 9)])
        #expect(layout.images.map(\.rows) == [[2..<17]])
        // A second sequence starts at 0 again, whatever stands before it.
        layout.append(PromptTokens(tokens: [1, 2]), image: 0, responses: [[5]])
        #expect(layout.positions[22...] == [at(0, 0, 0), at(1, 1, 1)] && layout.images.count == 1)

        // A tall one takes as many positions as it has rows, a single cell one.
        #expect(try family.place(PictureShape(height: 5 * 28, width: 3 * 28), tokenizer).span == 5)
        let single = try family.place(PictureShape(height: 28, width: 28), tokenizer)
        #expect(single.span == 1 && PromptTokens(before: [1], single, after: [2]).end == 3)
    }

    /// The same answer under two pictures of as many cells stands elsewhere.
    @Test func shapesOfAsManyCellsHaveOtherPositions() throws {
        let family = try family(windowSize: 112)
        let tokenizer = try Tokenizer(contentsOf: golden("families/qwen2-vl/tokenizer.json"))
        let ends = try [(2, 6), (3, 4), (12, 1)].map { height, width in
            let place = try family.place(PictureShape(height: 28 * height, width: 28 * width), tokenizer)
            return PromptTokens(before: [1], place, after: [2]).end
        }
        #expect(ends == [8, 6, 14])
    }
}

/// Where SmolVLM's family puts a picture's tiles in a sequence.
@Suite struct TilePlaceTests {
    private func place(tileRows: Int, tileColumns: Int) throws -> (place: PicturePlace, tokenizer: Tokenizer) {
        let folder = try ModelFolder(golden("families/smolvlm-tiles"))
        let shape = PictureShape(height: 32, width: 32, tileRows: tileRows, tileColumns: tileColumns)
        return (try folder.configuration.family.place(shape, folder.tokenizer), folder.tokenizer)
    }

    /// Of 2 × 2 tiles with four rows each, written out. The text between the last row of tiles and the whole picture
    /// is two line breaks, which are one token here.
    @Test func tokensBetweenTiles() throws {
        let (place, tokenizer) = try place(tileRows: 2, tileColumns: 2)
        func id(_ token: String) throws -> Int32 { try #require(tokenizer.id(of: token)) }
        let (around, image) = (try id("<fake_token_around_image>"), try id("<image>"))
        let rows = [image, image, image, image]
        func tile(_ name: String) throws -> [Int32] { [around, try id(name)] + rows }
        let (line, lines) = (
            tokenizer.encode("\n", addSpecialTokens: false), tokenizer.encode("\n\n", addSpecialTokens: false)
        )
        #expect(line.count == 1 && lines.count == 1 && line != lines)
        let upper = try tile("<row_1_col_1>") + tile("<row_1_col_2>") + line
        let lower = try tile("<row_2_col_1>") + tile("<row_2_col_2>") + lines
        #expect(place.tokens == (try upper + lower + tile("<global-img>") + [around]))
        #expect(place.featureRows == [2..<6, 8..<12, 15..<19, 21..<25, 28..<32])
        #expect(place.positions == nil && place.span == 33 && place.features == 20)
    }

    @Test func onePictureAlone() throws {
        let (place, tokenizer) = try place(tileRows: 1, tileColumns: 1)
        #expect(place.featureRows == [2..<6] && place.tokens.count == 7)
        #expect(place.tokens[1] == tokenizer.id(of: "<global-img>") && place.tokens.first == place.tokens.last)
        let prompt = PromptTokens(before: [1, 2], place, after: [3])
        #expect(prompt.imageRows == [4..<8] && prompt.positions == (0..<10).map { RotaryPosition($0) })
    }

    /// Some tokenizers have no token of their own for a tile's name, which is then text like any other.
    @Test func aTileWithoutATokenIsNamedInText() throws {
        let (place, tokenizer) = try place(tileRows: 7, tileColumns: 1)
        #expect(tokenizer.id(of: "<row_7_col_1>") == nil)
        let text = tokenizer.encode("\n<fake_token_around_image><row_7_col_1>", addSpecialTokens: false)
        #expect(text.count > 3)
        let rows = place.featureRows
        #expect(Array(place.tokens[rows[5].upperBound..<rows[6].lowerBound]) == text)
    }
}
