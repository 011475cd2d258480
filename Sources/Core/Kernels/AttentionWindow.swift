/// Which columns of scores a row of queries sees.
enum AttentionWindow {
    /// Row i sees its first `visible + i` columns, at most all; with a window, only the last `window` of these
    /// (Beltagy et al., Longformer, arXiv 2004.05150, §3.1, causal).
    static func columns(row: Int, of count: Int, visible: Int, window: Int?) -> Range<Int> {
        let end = min(visible + row, count)
        return max(0, end - (window ?? end))..<end
    }
}
