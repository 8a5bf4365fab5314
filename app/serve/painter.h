// The thread that draws what waits in the queue.
#pragma once

#include "app/serve/queue.h"
#include "app/serve/served_models.h"

namespace uvic {

// Draws batch after batch until the queue ends. A job that fails takes no other one with it.
void paint(Queue& queue, ServedModels& models);

}  // namespace uvic
