import { model } from "@medusajs/framework/utils"

// A piece of work that a worker does: who did it is the commit of its image.
export const Report = model.define("report", {
  id: model.id({ prefix: "report" }).primaryKey(),
  done_by: model.text().nullable(),
})
