import type { ExecArgs } from "@medusajs/framework/types"
import { ContainerRegistrationKeys, Modules, ProductStatus } from "@medusajs/framework/utils"
import {
  createApiKeysWorkflow,
  createProductsWorkflow,
  createRegionsWorkflow,
  createSalesChannelsWorkflow,
  linkSalesChannelsToApiKeyWorkflow,
  updateStoresWorkflow,
} from "@medusajs/medusa/core-flows"

// What a new shop needs before it can sell: db:migrate runs it once. A region to sell in, a channel to sell through with
// the key that opens it, and a product.
export default async function firstData({ container }: ExecArgs) {
  const { result: [channel] } = await createSalesChannelsWorkflow(container).run({
    input: { salesChannelsData: [{ name: "Web shop" }] },
  })
  const [store] = await container.resolve(Modules.STORE).listStores()
  await updateStoresWorkflow(container).run({
    input: {
      selector: { id: store.id },
      update: {
        default_sales_channel_id: channel.id,
        supported_currencies: [{ currency_code: "eur", is_default: true }],
      },
    },
  })
  await createRegionsWorkflow(container).run({
    input: { regions: [{ name: "Europe", currency_code: "eur", countries: ["de", "fr", "nl"] }] },
  })
  const { result: [key] } = await createApiKeysWorkflow(container).run({
    input: { api_keys: [{ title: "Web shop", type: "publishable", created_by: "" }] },
  })
  await linkSalesChannelsToApiKeyWorkflow(container).run({ input: { id: key.id, add: [channel.id] } })
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
          sales_channels: [{ id: channel.id }],
        },
      ],
    },
  })
  container.resolve(ContainerRegistrationKeys.LOGGER).info("The shop has its first data")
}
