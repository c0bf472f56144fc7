#include <evenkeel/core/kernels/conv_depthwise.h>
#include <evenkeel/core/kernels/conv_depthwise_lanes.h>
#include <evenkeel/core/kernels/conv_depthwise_plane.h>
#include <evenkeel/core/kernels/conv_depthwise_rows.h>

namespace evenkeel::kernels {

template <class T>
bool conv_is_depthwise(const ConvGeometry& g) {
  constexpr std::int64_t kManyPlanes = 8;
  return g.in_channels == g.groups && g.out_channels == g.groups && g.batch * g.groups >= kManyPlanes &&
         (g.stride[g.rank - 1] <= 2 || depthwise_by_lanes<T>(g, DepthwisePass::forward));
}

template <class T>
void conv_depthwise_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  if (depthwise_by_lanes<T>(g, DepthwisePass::forward)) return depthwise_lanes_forward(g, x, w, bias, y);
  if (depthwise_by_planes<T>(g, DepthwisePass::forward)) return depthwise_planes_forward(g, x, w, bias, y);
  depthwise_rows_forward(g, x, w, bias, y);
}

template <class T>
void conv_depthwise_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta) {
  if (depthwise_by_lanes<T>(g, DepthwisePass::input_grad))
    return depthwise_lanes_input_grad(g, gy, w, gx, beta);
  if (depthwise_by_planes<T>(g, DepthwisePass::input_grad))
    return depthwise_planes_input_grad(g, gy, w, gx, beta);
  depthwise_rows_input_grad(g, gy, w, gx, beta);
}

template <class T>
void conv_depthwise_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta) {
  if (depthwise_by_lanes<T>(g, DepthwisePass::weight_grad))
    return depthwise_lanes_weight_grad(g, x, gy, gw, beta);
  if (depthwise_by_planes<T>(g, DepthwisePass::weight_grad))
    return depthwise_planes_weight_grad(g, x, gy, gw, beta);
  depthwise_rows_weight_grad(g, x, gy, gw, beta);
}

#define EVENKEEL_INSTANTIATE(T)                                                                \
  template bool conv_is_depthwise<T>(const ConvGeometry&);                                     \
  template void conv_depthwise_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void conv_depthwise_input_grad(const ConvGeometry&, const T*, const T*, T*, T);     \
  template void conv_depthwise_weight_grad(const ConvGeometry&, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
