/// The look of pages and figures: one column at a phone's width, dark where the reader's system is.
enum PageStyle {
    /// A whole page in one file that needs nothing else.
    ///
    /// - Parameters:
    ///   - body: HTML
    ///   - style: CSS of the page's own
    static func page(_ title: String, _ body: String, _ style: String = "") -> String {
        HTML.page(title, body, style: pageStyle + style)
    }

    /// The colours of pages and figures, dark where the reader's system is.
    static let palette = """
        :root{--page:#fbfbfa;--card:#fff;--ink:#1c1e21;--soft:#62676f;--line:#e2e3e5;--s0:#1f5fbf;--s1:#b8400a;\
        --s2:#2c7a3f;--s3:#7b3fa0;--s4:#8a6d00;--s5:#00798c}
        @media(prefers-color-scheme:dark){:root{--page:#121416;--card:#191c1f;--ink:#e6e7e9;--soft:#9aa0a8;\
        --line:#2b2f34;--s0:#7ab0ff;--s1:#ff9a5c;--s2:#7fd190;--s3:#cf9df0;--s4:#e0c04a;--s5:#5cc8d8}}
        """

    /// Pictures with what is said about them.
    static let articles = """
        ul.answers{list-style:none;margin:0;padding:0}
        h2.part{font-size:20px;margin:28px 0 4px}
        h3{font-size:16px;line-height:1.3;margin:2px 0;overflow-wrap:anywhere;white-space:pre-line}
        article{display:grid;grid-template-columns:160px minmax(0,1fr);gap:8px 18px;background:var(--card);\
        border:1px solid var(--line);border-radius:10px;padding:14px;margin:12px 0}
        article img{display:block;width:100%;height:auto;max-height:240px;object-fit:contain;object-position:top;\
        border-radius:6px}
        article code{color:var(--soft);font-size:12px;overflow-wrap:anywhere}
        .none{color:var(--soft);font-size:13px;border:1px dashed var(--line);border-radius:6px;padding:12px;\
        overflow-wrap:anywhere}
        .truth{color:var(--soft);font-size:13px;margin:0 0 6px;white-space:pre-line}
        .answers li{display:grid;grid-template-columns:13em minmax(0,1fr);gap:8px;padding:5px 0;\
        border-top:1px solid var(--line);overflow-wrap:anywhere}
        .answers li>b{font-weight:400;color:var(--soft)}
        .answers span{white-space:pre-line}
        a{color:var(--s0)}
        @media(max-width:560px){article{grid-template-columns:minmax(0,1fr);padding:12px}\
        article img{width:180px;max-width:100%}.answers li{grid-template-columns:minmax(0,1fr);gap:2px}}
        """

    /// The lines and marks of charts.
    static let chartStyle = """
        .grid line{stroke:var(--line)}
        polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}
        polyline.s0{stroke:var(--s0)}polyline.s1{stroke:var(--s1)}polyline.s2{stroke:var(--s2)}\
        polyline.s3{stroke:var(--s3)}polyline.s4{stroke:var(--s4)}polyline.s5{stroke:var(--s5)}
        polyline.pale{stroke-width:1;opacity:.3}
        circle.s0{fill:var(--s0)}circle.s1{fill:var(--s1)}circle.s2{fill:var(--s2)}circle.s3{fill:var(--s3)}\
        circle.s4{fill:var(--s4)}circle.s5{fill:var(--s5)}
        """
}

private let pageStyle = """
    \(PageStyle.palette)
    *{box-sizing:border-box}
    body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,\
    "Noto Sans",sans-serif}
    main{max-width:1120px;margin:0 auto;padding:24px 16px 64px}
    h1{font-size:26px;line-height:1.2;margin:0 0 12px;overflow-wrap:anywhere}
    h2{font-size:15px;margin:0 0 6px}
    .wide{overflow-x:auto}
    table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0 0 8px}
    th,td{padding:4px 0 4px 20px;text-align:right;border-bottom:1px solid var(--line);vertical-align:baseline}
    tbody th{padding-left:0;text-align:left;font-weight:400;color:var(--soft)}
    .settings td,.settings th{text-align:left}
    .settings td{min-width:10em;overflow-wrap:anywhere}
    .note,.legend{color:var(--soft);font-size:13px;margin:0 0 12px}
    .legend b{font-weight:600;margin-right:10px;white-space:nowrap}
    .legend b::before{content:"";display:inline-block;width:14px;height:3px;border-radius:2px;background:currentColor;\
    margin-right:5px;vertical-align:middle}
    b.s0{color:var(--s0)}b.s1{color:var(--s1)}b.s2{color:var(--s2)}b.s3{color:var(--s3)}b.s4{color:var(--s4)}\
    b.s5{color:var(--s5)}
    .charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(320px,100%),1fr));gap:16px;margin:16px 0}
    figure{margin:0;min-width:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px}
    figcaption.legend{margin:4px 0 0}
    svg{display:block;width:100%;height:auto}
    svg text{font-size:10px;fill:var(--soft)}
    \(PageStyle.chartStyle)
    details{margin-top:16px}summary{cursor:pointer;font-weight:600}
    """
