/// The gallery's style sheet: one column at a phone's width, dark where the reader's system is.
let galleryStyle = """
    :root{--page:#fbfbfa;--card:#fff;--ink:#1c1e21;--soft:#62676f;--line:#e2e3e5;--dot:#a9aeb6;--pick:#b8400a;\
    --chance:#1f5fbf}
    @media(prefers-color-scheme:dark){:root{--page:#121416;--card:#191c1f;--ink:#e6e7e9;--soft:#9aa0a8;--line:#2b2f34;\
    --dot:#666c75;--pick:#ff9a5c;--chance:#7ab0ff}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,\
    "Noto Sans",sans-serif}
    main{max-width:1120px;margin:0 auto;padding:24px 16px 64px}
    h1{font-size:26px;line-height:1.2;margin:0 0 4px}
    h2{font-size:17px;line-height:1.3;margin:0 0 4px}
    h3{font-size:13px;margin:0 0 6px;font-weight:600}
    p{margin:0 0 8px}
    small,.note,.legend,article header p,figcaption{color:var(--soft)}
    small{font-size:12px;font-weight:400}
    .note,.legend{font-size:13px}
    b.pick,h3.pick,th.pick{color:var(--pick)}
    b.chance,h3.chance,th.chance{color:var(--chance)}
    .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:24px 40px;margin:24px 0}
    .facts>div{min-width:0}
    table{border-collapse:collapse;width:100%;margin:0 0 8px;font-variant-numeric:tabular-nums}
    th,td{padding:6px 0 6px 12px;text-align:right;border-bottom:1px solid var(--line);vertical-align:baseline}
    tbody th{padding-left:0;text-align:left;font-weight:400}
    tbody th small{display:block}
    tbody td small{white-space:nowrap}
    .legend{border-top:1px solid var(--line);padding-top:12px}
    .legend .bar{display:inline-flex;width:72px;vertical-align:middle;margin:0 6px 0 0}
    article{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin:16px 0;\
    display:grid;gap:12px 24px;grid-template-columns:132px minmax(0,1fr) 340px}
    article header{grid-column:1/-1}
    article header code{color:var(--soft);font-size:12px;overflow-wrap:anywhere}
    article header p{margin:0}
    .row{display:grid;grid-template-columns:repeat(auto-fill,minmax(90px,1fr));gap:12px;margin-bottom:14px}
    figure{margin:0;min-width:0}
    figure img{display:block;width:100%;height:auto;aspect-ratio:1;object-fit:contain;border-radius:6px;\
    background:#8881}
    figcaption{font-size:13px;margin-top:4px;font-variant-numeric:tabular-nums}
    figcaption b{display:inline-block;min-width:17px;padding:0 \
    4px;margin-right:2px;text-align:center;color:var(--card);\
    font-size:11px;line-height:17px}
    .pick b{background:var(--pick);border-radius:9px}
    .chance b{background:var(--chance);border-radius:3px}
    b.pick,b.chance{background:none}
    .bar{display:flex;height:6px;border-radius:3px;overflow:hidden;background:var(--line);margin:4px 0}
    .bar i{background:var(--soft)}
    .bar i+i{opacity:.45}
    .row.pick .bar i{background:var(--pick)}
    .row.chance .bar i{background:var(--chance)}
    .latents{display:flex;flex-wrap:wrap;gap:0 8px;font-size:12px}
    .latents sub{line-height:0;font-size:9px}
    mark{color:var(--ink);border-radius:3px;padding:0 2px;background:color-mix(in srgb,var(--pick) \
    var(--w),transparent)}
    article header p.answer{color:var(--ink)}
    .answer sup{font-size:10px;line-height:0;margin-left:2px}
    .fall{display:block;font-size:12px;line-height:1.3}
    .row.pick .fall{color:var(--pick)}
    .soft{color:var(--soft);font-weight:400}
    article.latent{grid-template-columns:minmax(0,1fr)}
    .latent h2 code{font-size:16px;color:var(--pick);margin-right:6px}
    h2 sub{font-size:11px;line-height:0}
    .words{font-size:13px}
    article header .words b{color:var(--ink);font-weight:600}
    .words span{display:inline-block;margin:2px 4px 2px 0;padding:0 7px;border:1px solid var(--line);border-radius:9px;\
    color:var(--ink)}
    .pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(290px,100%),1fr));gap:16px}
    .pair{display:grid;grid-template-columns:1fr 1fr;gap:2px}
    .pair img:first-child{outline:2px solid var(--pick);outline-offset:-2px}
    svg{display:block;width:100%;height:auto;max-width:420px}
    svg text{font-size:10px;fill:var(--soft)}
    .frame{fill:none;stroke:var(--line)}
    .cloud{fill:var(--dot);opacity:.6}
    svg .pick circle{fill:var(--pick);stroke:var(--card)}
    .facts.one{grid-template-columns:minmax(0,1fr)}
    svg.picks{max-width:760px}
    svg.picks .pick circle{fill-opacity:.75}
    svg.picks .chance circle{fill:none;stroke:var(--chance);stroke-opacity:.7}
    svg .chance rect{fill:var(--card);stroke:var(--chance);stroke-width:1.5}
    svg g.pick text,svg g.chance text{text-anchor:middle;font-weight:700}
    svg g.pick text{fill:var(--card)}
    svg g.chance text{fill:var(--chance)}
    .grid line{stroke:var(--line)}
    .curve{fill:none;stroke:var(--ink);stroke-width:1.6}
    @media(max-width:980px){article{grid-template-columns:132px minmax(0,1fr)}.map{grid-column:1/-1}}
    @media(max-width:560px){.pairs{grid-template-columns:1fr 1fr;gap:12px \
    10px}article{grid-template-columns:minmax(0,1fr);padding:12px}.positive figure{width:132px}\
    .row{grid-template-columns:repeat(var(--n),minmax(0,1fr))}\
    main{padding:16px 12px 48px}h1{font-size:22px}}
    """
