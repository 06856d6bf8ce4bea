resource "azapi_resource" "group" {
  type = "Microsoft.ContainerInstance/containerGroups@2023-05-01"
}
