import type { ExecArgs } from "@medusajs/framework/types"
import { ContainerRegistrationKeys, Modules, ProductStatus } from "@medusajs/framework/utils"
import { createDefaultsWorkflow, createProductsWorkflow, createRegionsWorkflow } from "@medusajs/medusa/core-flows"

// What a new shop needs before it can sell: db:migrate runs it once. Medusa's own defaults (a store in euros, a sales
// channel, the publishable key that opens it), a region to sell in, and a product.
export default async function firstData({ container }: ExecArgs) {
  await createDefaultsWorkflow(container).run()
  const [store] = await container.resolve(Modules.STORE).listStores()
  await createRegionsWorkflow(container).run({
    input: { regions: [{ name: "Europe", currency_code: "eur", countries: ["de", "fr", "nl"] }] },
  })
  await createProductsWorkflow(container).run({
    input: {
      products: [
        {
          title: "Mug",
          status: ProductStatus.PUBLISHED,
          options: [{ title: "Colour", values: ["White"] }],
          variants: [
            {
              title: "White",
              manage_inventory: false,
              options: { Colour: "White" },
              prices: [{ currency_code: "eur", amount: 9 }],
            },
          ],
          sales_channels: [{ id: store.default_sales_channel_id! }],
        },
      ],
    },
  })
  container.resolve(ContainerRegistrationKeys.LOGGER).info("The shop has its first data")
}
