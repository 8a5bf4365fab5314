#include "datasets/cifar10.h"

#include "core/error.h"

namespace uvic {

std::shared_ptr<const Dataset> open_cifar10(const Spec& spec, const CommonOptions&) {
  spec.expect_options({});
  fail("data '{}': cifar10 cannot be read yet", spec.text());
}

}  // namespace uvic
