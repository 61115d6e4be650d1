"""What a browser sends for a form that nobody has touched."""

from bs4 import Tag


def untouched(form: Tag) -> dict[str, str]:
    """The fields of a form as they come: boxes that are not ticked are left out."""
    inputs = {
        str(each["name"]): str(each.get("value", ""))
        for each in form.find_all("input")
        if each.get("name") and (each.get("type") != "checkbox" or each.has_attr("checked"))
    }
    # A browser leaves out the line break with which a textarea begins.
    areas = {str(each["name"]): each.text.removeprefix("\n") for each in form.find_all("textarea")}
    chosen = {
        str(each["name"]): str(option["value"])
        for each in form.find_all("select")
        for option in each.select("option[selected]")
    }
    return inputs | areas | chosen
