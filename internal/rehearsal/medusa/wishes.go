package main

import (
	"fmt"
	"strings"
)

// wishes is a feature of the shop: a route, and the migration that makes its table.
var wishes = map[string]string{
	"src/modules/report/migrations/Migration20260902090000.ts": migrationOf("20260902090000", `create table "wish" ("text" text not null);`),
	"src/api/wishes/route.ts": `import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"
import { ContainerRegistrationKeys } from "@medusajs/framework/utils"

export async function GET(req: MedusaRequest, res: MedusaResponse) {
  const [{ count }] = await req.scope.resolve(ContainerRegistrationKeys.PG_CONNECTION)("wish").count()
  res.json({ wishes: Number(count) })
}

export async function POST(req: MedusaRequest<{ text: string }>, res: MedusaResponse) {
  await req.scope.resolve(ContainerRegistrationKeys.PG_CONNECTION)("wish").insert({ text: req.body.text })
  await GET(req, res)
}
`,
}

// migrationOf is a migration file that runs those statements.
func migrationOf(at string, statements ...string) string {
	var body strings.Builder
	for _, one := range statements {
		fmt.Fprintf(&body, "    this.addSql(`%s`)\n", one)
	}
	return fmt.Sprintf(`import { Migration } from "@medusajs/framework/mikro-orm/migrations"

export class Migration%s extends Migration {
  override async up(): Promise<void> {
%s  }
}
`, at, body.String())
}
