# A Medusa app, in three stages: what it is built with stays behind. The layer with the dependencies is made from
# package.json and the lockfile alone, so that a change of the source neither installs nor uploads them again.
FROM node:22-bookworm-slim AS base
WORKDIR /app
ENV MEDUSA_DISABLE_TELEMETRY=true

# All dependencies, to build with.
FROM base AS build
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/npm npm ci --cache /npm
COPY . .
# Takes up to 2 GB of memory, most of it for the admin. It needs no database.
RUN npx --no-install medusa build

# The dependencies that the app runs with.
FROM base AS production
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/npm npm ci --cache /npm --omit=dev

# What `medusa build` has made is an app of its own, which runs where its files lie.
FROM node:22-bookworm-slim
ENV NODE_ENV=production PORT=9000 MEDUSA_DISABLE_TELEMETRY=true
WORKDIR /app
# The local file provider writes there. What it writes is gone with the task: a shop keeps its files in S3.
RUN install -d -o node -g node /app/static
COPY --from=production /app/node_modules ./node_modules
COPY --from=build /app/.medusa/server ./
ARG COMMIT
ENV COMMIT=$COMMIT
USER node
EXPOSE 9000
# No shell and no npm in between: SIGTERM reaches Medusa, which finishes the requests that it has.
CMD ["node_modules/.bin/medusa", "start"]
