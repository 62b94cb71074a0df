import { Migration } from "@medusajs/framework/mikro-orm/migrations"

export class Migration20260901090000 extends Migration {
  override async up(): Promise<void> {
    this.addSql(
      `create table if not exists "report" ("id" text not null, "done_by" text null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), "deleted_at" timestamptz null, constraint "report_pkey" primary key ("id"));`
    )
    this.addSql(`create index if not exists "IDX_report_deleted_at" on "report" ("deleted_at") where deleted_at is null;`)
  }

  override async down(): Promise<void> {
    this.addSql(`drop table if exists "report" cascade;`)
  }
}
