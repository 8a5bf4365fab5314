#include "transformer/kernels/rows.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include "transformer/kernels/isa.h"

namespace uvic {

namespace {

const RowTable& table() {
  return default_kernel_isa().value.kernels->rows;
}

// Rows of one piece of work. A constant, so that sums of pieces do not depend on the number of threads.
constexpr int64_t kPieceRows = 128;

int64_t pieces_of(const Tensor& matrix) {
  return (matrix.size(0) + kPieceRows - 1) / kPieceRows;
}

struct Piece {
  int64_t index, begin, rows;

  // The first element of this piece in a matrix of width `dim`; null for an undefined one.
  template <class T>
  T* of(const Tensor& matrix) const {
    return matrix.defined() ? static_cast<T*>(matrix.data_ptr()) + begin * matrix.size(1) : nullptr;
  }
};

float* vector(const Tensor& tensor) {
  return tensor.data_ptr<float>();
}

// f(kernels, T(), piece) for all pieces of `matrix`, whose dtype is T.
template <class F>
void for_pieces(const Tensor& matrix, const F& f) {
  at::parallel_for(0, pieces_of(matrix), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Piece piece{i, i * kPieceRows, std::min(kPieceRows, matrix.size(0) - i * kPieceRows)};
      matrix.scalar_type() == at::kFloat ? f(table().f32, float(), piece) : f(table().bf16, Bf16(), piece);
    }
  });
}

// `count` sums of width `dim` for each piece, added up in order by total().
struct Sums {
  Tensor of_pieces;
  Sums(const Tensor& matrix, int64_t count, int64_t dim)
      : of_pieces(at::zeros({pieces_of(matrix), count, dim}, at::kFloat)) {}
  float* at(const Piece& piece, int64_t k = 0) const { return vector(of_pieces[piece.index][k]); }
  Tensor total() const { return of_pieces.sum(0); }
};

}  // namespace

Tensor add_rows(const Tensor& x, const Tensor& branch, const Tensor& bias) {
  RECORD_USER_SCOPE("add_rows");
  const Tensor out = at::empty_like(x);
  for_pieces(branch, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    kernels.add(piece.rows, x.size(1), piece.of<float>(x), piece.of<T>(branch), vector(bias), piece.of<float>(out));
  });
  return out;
}

Normalized norm_rows(const Tensor& x, const Tensor& gamma, const Tensor& beta, at::ScalarType dtype) {
  RECORD_USER_SCOPE("norm_rows");
  const Normalized out{x, at::empty(x.sizes(), dtype), at::empty({x.size(0), 2}, at::kFloat)};
  for_pieces(out.y, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    kernels.norm(piece.rows, x.size(1), piece.of<float>(x), nullptr, nullptr, vector(gamma), vector(beta), nullptr,
                 piece.of<T>(out.y), piece.of<float>(out.statistics));
  });
  return out;
}

Normalized add_norm_rows(const Tensor& x, const Tensor& branch, const Tensor& bias, const Tensor& gamma,
                         const Tensor& beta) {
  RECORD_USER_SCOPE("add_norm_rows");
  const Normalized out{at::empty_like(x), at::empty_like(branch), at::empty({x.size(0), 2}, at::kFloat)};
  for_pieces(branch, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    kernels.norm(piece.rows, x.size(1), piece.of<float>(x), piece.of<T>(branch), vector(bias), vector(gamma),
                 vector(beta), piece.of<float>(out.z), piece.of<T>(out.y), piece.of<float>(out.statistics));
  });
  return out;
}

NormGradient norm_rows_backward(const Tensor& dy, const Normalized& forward, const Tensor& gamma,
                                const Tensor& residual) {
  RECORD_USER_SCOPE("norm_rows_backward");
  const bool add = residual.defined(), cast = add && dy.scalar_type() != at::kFloat;
  const Tensor dz = at::empty_like(forward.z), dz_cast = cast ? at::empty_like(dy) : dz;
  const Sums sums(dy, 3, dy.size(1));
  for_pieces(dy, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    kernels.norm_backward(piece.rows, dy.size(1), piece.of<T>(dy), piece.of<float>(forward.z),
                          piece.of<float>(forward.statistics), vector(gamma), piece.of<float>(residual),
                          piece.of<float>(dz), cast ? piece.of<T>(dz_cast) : nullptr, sums.at(piece, 0),
                          sums.at(piece, 1), add ? sums.at(piece, 2) : nullptr);
  });
  const Tensor total = sums.total();
  return {.dz = dz, .d_gamma = total[0], .d_beta = total[1], .dz_cast = dz_cast, .dz_sum = total[2]};
}

Tensor gelu_rows(const Tensor& h, const Tensor& bias) {
  RECORD_USER_SCOPE("gelu_rows");
  const Tensor out = at::empty_like(h);
  for_pieces(h, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    kernels.gelu(piece.rows, h.size(1), piece.of<T>(h), vector(bias), piece.of<T>(out));
  });
  return out;
}

Tensor gelu_rows_backward(const Tensor& h, const Tensor& bias, const Tensor& d) {
  RECORD_USER_SCOPE("gelu_rows_backward");
  const Sums sums(h, 1, h.size(1));
  for_pieces(h, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    kernels.gelu_backward(piece.rows, h.size(1), piece.of<T>(h), vector(bias), piece.of<T>(d), sums.at(piece));
  });
  return sums.total()[0];
}

Cast cast_rows(const Tensor& x, at::ScalarType dtype) {
  RECORD_USER_SCOPE("cast_rows");
  if (dtype == at::kFloat) return {x, x.sum(0)};
  const Tensor value = at::empty(x.sizes(), dtype);
  const Sums sums(x, 1, x.size(1));
  for_pieces(value, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    kernels.cast(piece.rows, x.size(1), piece.of<float>(x), piece.of<T>(value), x.size(1), sums.at(piece));
  });
  return {value, sums.total()[0]};
}

Tensor transpose_rows(const Tensor& x) {
  RECORD_USER_SCOPE("transpose_rows");
  const Tensor out = at::empty({x.size(1), x.size(0)}, x.options());
  for_pieces(x, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    kernels.transpose(piece.rows, x.size(1), piece.of<T>(x), static_cast<T*>(out.data_ptr()) + piece.begin,
                      out.size(1));
  });
  return out;
}

Tensor join_rows(const Tensor& x, const Tensor& skip, at::ScalarType dtype) {
  RECORD_USER_SCOPE("join_rows");
  const int64_t dim = x.size(1);
  const Tensor out = at::empty({x.size(0), 2 * dim}, dtype);
  for_pieces(out, [&]<class T>(const RowKernels<T>& kernels, T, const Piece& piece) {
    T* left = piece.of<T>(out);
    kernels.cast(piece.rows, dim, piece.of<float>(x), left, 2 * dim, nullptr);
    kernels.cast(piece.rows, dim, piece.of<float>(skip), left + dim, 2 * dim, nullptr);
  });
  return out;
}

}  // namespace uvic
