#include "compress_opt/model/model.hpp"

#include <miq/core/error.hpp>

namespace compress_opt {

namespace {

template <class Layer>
auto& find_linear(Layer& layer, linear_id id) {
  switch (id) {
    case linear_id::q_proj:
      return layer.self_attn.q_proj;
    case linear_id::k_proj:
      return layer.self_attn.k_proj;
    case linear_id::v_proj:
      return layer.self_attn.v_proj;
    case linear_id::out_proj:
      return layer.self_attn.out_proj;
    case linear_id::fc1:
      return layer.fc1;
    case linear_id::fc2:
      return layer.fc2;
  }
  throw miq::invalid_argument("decoder_layer: id must be one of the six linear maps");
}

}  // namespace

std::string_view name_of(linear_id id) {
  switch (id) {
    case linear_id::q_proj:
      return "self_attn.q_proj";
    case linear_id::k_proj:
      return "self_attn.k_proj";
    case linear_id::v_proj:
      return "self_attn.v_proj";
    case linear_id::out_proj:
      return "self_attn.out_proj";
    case linear_id::fc1:
      return "fc1";
    case linear_id::fc2:
      return "fc2";
  }
  throw miq::invalid_argument("name_of: id must be one of the six linear maps");
}

std::string_view name_of(layer_input input) {
  switch (input) {
    case layer_input::attention:
      return "attention";
    case layer_input::out_proj:
      return "out_proj";
    case layer_input::fc1:
      return "fc1";
    case layer_input::fc2:
      return "fc2";
  }
  throw miq::invalid_argument("name_of: input must be one of the four inputs");
}

layer_input input_of(linear_id id) {
  switch (id) {
    case linear_id::out_proj:
      return layer_input::out_proj;
    case linear_id::fc1:
      return layer_input::fc1;
    case linear_id::fc2:
      return layer_input::fc2;
    default:
      return layer_input::attention;
  }
}

linear& decoder_layer::operator[](linear_id id) { return find_linear(*this, id); }
const linear& decoder_layer::operator[](linear_id id) const { return find_linear(*this, id); }

}  // namespace compress_opt
