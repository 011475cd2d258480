/// Tables for a terminal.
enum TextTable {
    /// Rows as columns, those from `column` on to the right.
    static func aligned(_ rows: [[String]], rightOf column: Int) -> [String] {
        let widths = (rows.first ?? []).indices.map { index in rows.map { $0[index].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { index, cell -> String in
                let space = String(repeating: " ", count: widths[index] - cell.count)
                return index < column ? cell + space : space + cell
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
