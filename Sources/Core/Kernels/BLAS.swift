import COpenBLAS

/// How matrix products are computed on this machine.
public enum BLAS {
    /// Threads that kernels share their work over. One is the default.
    public static func setThreads(_ count: Int) {
        Parallel.all.store(max(count, 1), ordering: .relaxed)
        openblas_set_num_threads(Int32(max(count, 1)))
    }
    /// As `setThreads` left them: 1 at first.
    public static var threads: Int { Parallel.all.load(ordering: .relaxed) }

    /// What decides about the last bits of float32 products: our own kernels, which all give the same, or those that
    /// OpenBLAS chose for this processor.
    public static var arithmetic: String {
        FloatProduct.current == nil ? "OpenBLAS \(openBLASKernel) \(threads)" : "fused"
    }
    /// In words: `AVX-512`, or `OpenBLAS Haswell`.
    public static var kernel: String { FloatProduct.current?.name ?? "OpenBLAS \(openBLASKernel)" }
    /// The kernel that OpenBLAS chose for this processor, such as `Haswell`.
    public static var openBLASKernel: String { String(cString: openblas_get_corename()) }
    /// How OpenBLAS describes its own build: version and options.
    public static var configuration: String { String(cString: openblas_get_config()) }
}

/// BLAS's own products, c ← Σ terms + keep·c, a term after the other.
extension BLAS {
    static func setSum(_ c: Matrix<Float>, _ terms: [ProductTerm<Float>], keep: Float) {
        var keep = keep
        for term in terms {
            add(term, to: c, keep: keep)
            keep = 1
        }
    }

    static func setSum(_ c: Matrix<Double>, _ terms: [ProductTerm<Double>], keep: Double) {
        var keep = keep
        for term in terms {
            let (a, b) = (term.a, term.b.matrix)
            cblas_dgemm(
                CblasRowMajor, term.transposeA ? CblasTrans : CblasNoTrans, term.transposeB ? CblasTrans : CblasNoTrans,
                blasint(c.rows), blasint(c.columns), blasint(term.inner), term.scale, a.base, blasint(max(a.stride, 1)),
                b.base, blasint(max(b.stride, 1)), keep, c.base, blasint(max(c.stride, 1)))
            keep = 1
        }
    }

    private static func add(_ term: ProductTerm<Float>, to c: Matrix<Float>, keep: Float) {
        let (a, b) = (term.a, term.b.matrix)
        // One row: OpenBLAS packs the whole matrix for a product with it.
        if c.rows == 1, !term.transposeA {
            cblas_sgemv(
                CblasRowMajor, term.transposeB ? CblasNoTrans : CblasTrans, blasint(b.rows), blasint(b.columns),
                term.scale, b.base, blasint(max(b.stride, 1)), a.base, 1, keep, c.base, 1)
            return
        }
        cblas_sgemm(
            CblasRowMajor, term.transposeA ? CblasTrans : CblasNoTrans, term.transposeB ? CblasTrans : CblasNoTrans,
            blasint(c.rows), blasint(c.columns), blasint(term.inner), term.scale, a.base, blasint(max(a.stride, 1)),
            b.base, blasint(max(b.stride, 1)), keep, c.base, blasint(max(c.stride, 1)))
    }
}
