# The steps of the Dockerfile in Medusa's Docker guide (https://docs.medusajs.com/learn/installation/docker, as of November
# 2026) for an app that is no monorepo. It is of a development server: it builds nothing, the app is compiled when it starts.
FROM node:20-alpine
WORKDIR /server
COPY package.json package-lock.json ./
RUN npm install --legacy-peer-deps
COPY . .
EXPOSE 9000 5173
CMD ["npm", "run", "dev"]
